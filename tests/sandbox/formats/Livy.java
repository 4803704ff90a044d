import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class Livy implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("livy");
        dag.task("before").shell("a");
        dag.task("batch").requires("before").timeoutMs(7_200_000)
                .livyUrl("http://livy:8998")
                .livyFile("s3://jobs/a.jar")
                .livyClassName("com.acme.Job")
                .livyArgs("--day", "#{ds}", "ü")
                .livyConf("spark.b", "2").livyConf("spark.a", "1").livyConf("spark.B", "x")
                .livyJars("b.jar", "a.jar")
                .livyDriverMemory("1g")
                .livyExecutorMemory("2g")
                .livyNumExecutors(4)
                .livyQueue("batch")
                .livyName("nightly")
                .livyProxyUser("etl")
                .livyPollIntervalMs(2500)
                .config("livy.pyFiles", "[\"x.py\"]")
                .config("livy.files", "[\"x.csv\"]")
                .config("livy.archives", "[\"x.zip\"]")
                .config("livy.driverCores", "1")
                .config("livy.executorCores", "2")
                .config("livy.other", "null");
        return dag;
    }
}
