import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class OwnerAndTags implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("owner_and_tags")
                .owner("Équipe Ventes 東京 \uD83D\uDE00 <b>\"x\"</b> \\ e\u0301")
                .tags("sales", "2024")
                .tags("cost-center:4711", "team/eu.nightly_2", "Z");
        dag.task("t").shell("echo");
        return dag;
    }
}
