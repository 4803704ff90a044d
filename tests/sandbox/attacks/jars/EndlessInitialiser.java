// tries: loops without end while its class is initialised
// expect: class EndlessInitialiser: hangs or is too slow
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;

public class EndlessInitialiser implements KiokDag {
    static {
        boolean forever = true;
        while (forever) {}
    }

    @Override
    public Dag define() {
        return null;
    }
}
