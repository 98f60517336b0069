// Validates every JSON file of a folder with the HL7 validator, in one JVM, without any network.
// java Oracle.java PACKAGE[,PACKAGE...] FOLDER OUTPUT [THO-VERSION EXTENSIONS-VERSION]
// OUTPUT gets a line for each file: name, then for each issue a tab and severity|where|text.

import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.elementmodel.Manager;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.utils.validation.IValidatorResourceFetcher;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import org.hl7.fhir.utilities.validation.ValidationMessage;
import org.hl7.fhir.validation.ValidationEngine;
import org.hl7.fhir.validation.instance.advisor.BasePolicyAdvisorForFullValidation;

public class Oracle {
  public static void main(String[] arguments) throws Exception {
    ValidationEngine engine =
        new ValidationEngine.ValidationEngineBuilder()
            .withVersion("4.0.1")
            .withNoTerminologyServer()
            .withCanRunWithoutTerminologyServer(true)
            .withThoVersion(arguments[3])
            .withExtensionsVersion(arguments[4])
            .fromSource("hl7.fhir.r4.core#4.0.1");
    for (String name : arguments[0].split(",")) {
      engine.getIgLoader().loadIg(engine.getIgs(), engine.getBinaries(), name, false);
    }
    engine.setAllowExampleUrls(true);
    engine.setPolicyAdvisor(
        new BasePolicyAdvisorForFullValidation(ReferenceValidationPolicy.CHECK_TYPE_IF_EXISTS, null));
    engine.setFetcher(stubs(engine));
    engine.prepare();
    List<Path> files = new ArrayList<>();
    try (var found = Files.list(Path.of(arguments[1]))) {
      found.filter(path -> path.toString().endsWith(".json")).sorted().forEach(files::add);
    }
    try (PrintWriter out = new PrintWriter(new java.io.FileWriter(arguments[2]), true)) {
      for (Path file : files) {
        out.println(file.getFileName() + messages(engine, Files.readAllBytes(file)));
      }
    }
  }

  // The server that has whatever is referred to: of each reference the type is checked, and nothing more.
  private static IValidatorResourceFetcher stubs(ValidationEngine engine) {
    Pattern literal = Pattern.compile("([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})$");
    return (IValidatorResourceFetcher)
        Proxy.newProxyInstance(
            Oracle.class.getClassLoader(),
            new Class<?>[] {IValidatorResourceFetcher.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("fetch")) {
                Matcher found = literal.matcher((String) arguments[2]);
                return found.find() ? stub(engine, found.group(1), found.group(2)) : null;
              }
              Class<?> answer = method.getReturnType();
              if (answer == boolean.class) {
                return method.getName().equals("resolveURL");
              }
              return answer == java.util.Set.class ? new HashSet<>() : null;
            });
  }

  private static Element stub(ValidationEngine engine, String type, String id) throws Exception {
    String json = "{\"resourceType\":\"" + type + "\",\"id\":\"" + id + "\"}";
    try {
      return Manager.parseSingle(
          engine.getContext(), new ByteArrayInputStream(json.getBytes()), FhirFormat.JSON);
    } catch (Exception unknown) {
      return null;
    }
  }

  private static String messages(ValidationEngine engine, byte[] content) {
    List<ValidationMessage> found = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    try {
      engine.validate(content, FhirFormat.JSON, new ArrayList<>(), found);
    } catch (Exception error) {
      line.append("\tFATAL||").append(clean(String.valueOf(error)));
    }
    for (ValidationMessage message : found) {
      line.append('\t').append(message.getLevel()).append('|').append(message.getLocation()).append('|');
      line.append(clean(message.getMessage()));
    }
    return line.toString();
  }

  private static String clean(String text) {
    return text.replaceAll("[\\s|]+", " ");
  }
}
