import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class References implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("references");
        dag.task("script")
                .shell("psql " + Conn.ref("warehouse", "url") + " -c '#{ds}' # " + Conn.secret("db")
                        + " #{ds_nodash - 1d} ${HOME}")
                .config("text", Conn.ref("warehouse", "password"))
                .config("list", "[\"" + Conn.secret("db") + "\",\"#{ts}\"]");
        return dag;
    }
}
