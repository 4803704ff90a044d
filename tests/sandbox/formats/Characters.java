import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class Characters implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("characters")
                .name("東京 \ud83d\ude00")
                .description("e\u0301 is not \u00e9; \u2028 and \ufeff stay");
        dag.task("plain").shell(
                "quotes \" ' ` backslash \\ slash / tab \t return \r newline \n controls \001\b\f\037\177\u0085 end");
        dag.task("encoded").livy("u").livyFile("f")
                .livyArgs("\" ' \\ / \t\r\n\b\f", "\001\037\177\u0085\u2028\u2029\ufeff", "東京 \ud83d\ude00")
                .livyConf("\ud83d\ude00", "astral")
                .livyConf("\uff21", "after the surrogates")
                .livyConf("é", "\"")
                .livyConf("z", "\\")
                .livyConf("Z", "")
                .config("ключ \ud83d\udd11", "значение \002");
        return dag;
    }
}
