// tries: allocates memory that no limit of the JVM counts
// expect: class UnsafeMemoryBomb: its JVM was ended by SIGKILL \(mostly: more memory than the sandbox has\)
import com.cloudcheflabs.kiok.sdk.*;

public class UnsafeMemoryBomb implements KiokDag {
    @Override
    public Dag define() {
        try {
            java.lang.reflect.Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
            field.setAccessible(true);
            Object unsafe = field.get(null);
            java.lang.reflect.Method take = unsafe.getClass().getMethod("allocateMemory", long.class);
            java.lang.reflect.Method fill = unsafe.getClass().getMethod("setMemory", long.class, long.class, byte.class);
            while (true) {
                fill.invoke(unsafe, take.invoke(unsafe, 16L << 20), 16L << 20, (byte) 1);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
