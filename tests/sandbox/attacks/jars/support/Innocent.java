import com.cloudcheflabs.kiok.sdk.*;
import java.io.File;
import java.util.Arrays;
import java.util.Locale;
import java.util.TreeMap;

/** An innocent DAG whose task contains its surroundings: leftovers of another file would change it. */
public class Innocent implements KiokDag {
    @Override
    public Dag define() {
        String surroundings = new TreeMap<>(System.getenv())
            + Arrays.toString(new File("/tmp").list((folder, name) -> !name.startsWith("hsperfdata")))
            + new File("").getAbsolutePath()
            + Locale.getDefault()
            + Runtime.getRuntime().availableProcessors();
        Dag dag = new Dag("innocent").schedule("5 * * * *");
        dag.task("surroundings").shell("echo '" + surroundings + "'");
        dag.task("shell").shell("echo hello").requires("surroundings");
        return dag;
    }
}
