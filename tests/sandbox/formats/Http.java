import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class Http implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("http");
        dag.task("before").shell("a");
        dag.task("object").http("https://hooks.example/publish").requires("before").timeoutMs(10_000)
                .config("method", "POST")
                .config("headers", "{\"Accept\":\"application/json\",\"X-Token\":\"" + Conn.secret("hook") + "\"}")
                .config("body", "{\"items\":[1,\"two\"],\"ok\":true,\"rows\":3}")
                .config("expect", "201");
        dag.task("text").http("https://hooks.example").config("body", "{\"as\": \"it is\"}");
        return dag;
    }
}
