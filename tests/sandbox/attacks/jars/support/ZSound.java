import com.cloudcheflabs.kiok.sdk.*;

/** A sound class that shares the jar with a hostile one, and comes after it. */
public class ZSound implements KiokDag {
    @Override
    public Dag define() {
        Dag dag = new Dag("sound");
        dag.task("t").shell("true");
        return dag;
    }
}
