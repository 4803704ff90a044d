// tries: ends the JVM without its exit hooks
// expect: class Halt: .*exit status 3; a DAG class must not call System.exit
import com.cloudcheflabs.kiok.sdk.*;

public class Halt implements KiokDag {
    @Override
    public Dag define() {
        Runtime.getRuntime().halt(3);
        return null;
    }
}
