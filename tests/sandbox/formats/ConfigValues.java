import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class ConfigValues implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("config_values");
        dag.task("values").shell("a")
                .config("string", "as it is")
                .config("empty", "")
                .config("like_a_number", "1.10")
                .config("yes", "yes")
                .config("true", "true")
                .config("false", "false")
                .config("int", "10")
                .config("negative", "-7")
                .config("hexadecimal", "31")
                .config("largest", Long.toString(Long.MAX_VALUE))
                .config("smallest", Long.toString(Long.MIN_VALUE))
                .config("float", "1.5")
                .config("whole_float", "100.0")
                .config("huge_float", "1e+100")
                .config("tiny_float", "2.5e-07")
                .config("null", "null")
                .config("list", "[1,\"1\",true,null,1.5,[],{}]")
                .config("empty_list", "[]")
                .config("empty_map", "{}")
                .config("nested", "{\"Apple\":false,\"ant\":\"Ä\",\"zebra\":{\"x\":[{\"a\":1,\"b\":2}],\"y\":1}}");
        return dag;
    }
}
