package com.cloudcheflabs.kiok.driver;

import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;
import java.lang.reflect.Constructor;
import java.util.HashSet;
import java.util.Set;

/**
 * Instantiates one DAG class and defines its DAG, in a separate thread.
 *
 * <p>There is no time limit here: the supervisor enforces it by ending the process.
 */
final class ClassRun implements Runnable {

    /** Large, for recursive builders; only address space until it is used. */
    private static final long STACK_BYTES = 8L << 20;

    /** Class files of Java release n have the major version n + 44. */
    private static final int MAJOR_OF_JAVA_0 = 44;

    /** Time for threads of the jar to end after its DAG is defined. */
    private static final long THREAD_GRACE_MS = 50;

    /**
     * Released when something fails, to leave room for the report: after the heap has run out, the report's small
     * allocations would fail one by one, each after a second of useless garbage collection.
     */
    private byte[] reserve = new byte[1 << 20];

    private final ClassFile file;
    private final ClassLoader loader;
    private String json;
    private Failure failure;
    private boolean exhausted;
    private boolean threadsLeft;

    ClassRun(ClassFile file, ClassLoader loader) {
        this.file = file;
        this.loader = loader;
    }

    /** Returns the DAG's compiled form, or null after a failure. */
    String json() {
        return json;
    }

    /** Returns why there is no DAG, or null. */
    Failure failure() {
        return failure;
    }

    /** Returns whether this process must not run another class: its memory ran out, or threads of this class remain. */
    boolean leavesTraces() {
        return exhausted || threadsLeft;
    }

    /** Runs the class to its end. For the {@code last} class of the process, remaining threads are not checked. */
    void execute(boolean last) throws InterruptedException {
        int needed = file.major() - MAJOR_OF_JAVA_0;
        int present = Runtime.version().feature();
        if (needed > present) {
            String message =
                    "class %s: needs Java %d (class file version %d), but the sandbox runs Java %d; compile it with --release %d"
                            .formatted(file.className(), needed, file.major(), present, present);
            failure = new Failure(message, 0);
            return;
        }
        Set<Thread> before = last ? Set.of() : new HashSet<>(Thread.getAllStackTraces().keySet());
        Thread thread = new Thread(null, this, "define " + file.className(), STACK_BYTES);
        thread.setContextClassLoader(loader);
        thread.start();
        thread.join();
        if (json == null && failure == null) {
            failure = new Failure("class " + file.className() + ": threw something that cannot be described", 0);
        }
        threadsLeft = !last && !endedSince(before);
    }

    private static boolean endedSince(Set<Thread> before) throws InterruptedException {
        long deadline = System.nanoTime() + THREAD_GRACE_MS * 1_000_000;
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (!before.contains(thread)) {
                thread.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
                if (thread.isAlive()) {
                    return false;
                }
            }
        }
        return true;
    }

    @Override
    public void run() {
        String doing = "loading it";
        try {
            Class<?> type = Class.forName(file.className(), false, loader);
            doing = "its static initialiser";
            Class.forName(file.className(), true, loader);
            doing = "its constructor";
            Constructor<?> constructor = type.getConstructor();
            constructor.setAccessible(true); // the class itself need not be public
            KiokDag definition = (KiokDag) constructor.newInstance();
            doing = "define()";
            Dag dag = definition.define();
            if (dag == null) {
                failure = new Failure("class " + file.className() + ": define() returned null; it must return a Dag", 0);
                return;
            }
            doing = "writing its DAG";
            json = dag.toJson();
        } catch (Throwable thrown) { // the jar's code may throw anything, even errors; each is a failure of this class
            reserve = null;
            Throwable root = Failure.rootOf(thrown);
            exhausted = root instanceof VirtualMachineError && !(root instanceof StackOverflowError);
            failure = Failure.of(file.className(), doing, thrown);
        }
    }
}
