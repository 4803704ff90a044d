import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class Ontul implements KiokDag {
    public Dag define() {
        Map<String, String> arguments = new LinkedHashMap<>();
        arguments.put("to", "2");
        arguments.put("from", "1");
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("memory", "4g");
        settings.put("cores", "2");

        Dag dag = new Dag("ontul");
        dag.task("batch").ontul("http://ontul", "BATCH", "INSERT INTO t SELECT 1");
        dag.task("streaming").ontul("http://ontul", "STREAMING", "INSERT INTO t SELECT 2");
        dag.task("class").requires("batch").timeoutMs(86_400_000)
                .ontulClass("com.acme.Load", Arrays.asList("s3://jobs/b.jar", "s3://jobs/a.jar"), arguments)
                .ontulUrl("http://ontul")
                .ontulToken(Conn.secret("ontul"))
                .ontulJobConfig(settings)
                .config("ontul.jobName", "nightly load")
                .config("ontul.depsConnectionId", "lake")
                .config("ontul.depsS3Prefix", "deps/")
                .config("ontul.pollIntervalMs", "1000")
                .config("ontul.retries", "3");
        dag.task("python").ontulUrl("http://ontul")
                .ontulPython("s3://jobs/load.py", new ArrayList<String>(), new HashMap<String, String>());
        return dag;
    }
}
