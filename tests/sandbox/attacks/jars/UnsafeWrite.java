// tries: writes to an address without memory
// expect: class UnsafeWrite: its JVM was ended by SIG(ABRT|SEGV)
import com.cloudcheflabs.kiok.sdk.*;

public class UnsafeWrite implements KiokDag {
    @Override
    public Dag define() {
        try {
            java.lang.reflect.Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
            field.setAccessible(true);
            field.getType().getMethod("putAddress", long.class, long.class).invoke(field.get(null), 0L, 0L);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
        return null;
    }
}
