// tries: ends the JVM with an exit hook that never ends
// expect: class HookLoop: hangs or is too slow
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;

public class HookLoop implements KiokDag {
    @Override
    public Dag define() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> { while (true) {} }));
        System.exit(0);
        return null;
    }
}
