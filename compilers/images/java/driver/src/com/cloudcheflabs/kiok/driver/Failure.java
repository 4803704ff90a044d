package com.cloudcheflabs.kiok.driver;

import java.lang.reflect.InvocationTargetException;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * The reason why a class defined no DAG, for its author.
 *
 * @param line in the class's own source file, 0 if unknown
 */
record Failure(String message, int line) {

    private static final int MAX_FRAMES = 12;
    private static final int MAX_TEXT = 1000;

    /** Returns the failure for {@code thrown}, raised during {@code doing} (such as {@code define()}). */
    static Failure of(String className, String doing, Throwable thrown) {
        Throwable cause = rootOf(thrown);
        String text = "class " + className + ": " + doing + " threw " + describe(cause) + hint(cause);
        return new Failure(text + trace(cause), line(className, cause));
    }

    /** Returns the original exception, without the wrappers of reflection and class initialisation. */
    static Throwable rootOf(Throwable thrown) {
        Throwable at = thrown;
        while ((at instanceof InvocationTargetException || at instanceof ExceptionInInitializerError)
                && at.getCause() != null) {
            at = at.getCause();
        }
        return at;
    }

    /** Like {@code toString}, but an exception class whose own methods throw cannot break the report. */
    private static String describe(Throwable thrown) {
        String name = thrown.getClass().getName();
        String simple = name.startsWith("java.lang.") ? name.substring("java.lang.".length()) : name;
        try {
            String message = thrown.getMessage();
            return message == null ? simple : simple + ": " + shorten(message);
        } catch (Throwable broken) { // can be anything, since it is the jar's code; then the type alone is shown
            return simple;
        }
    }

    private static String shorten(String text) {
        return text.length() <= MAX_TEXT ? text : text.substring(0, MAX_TEXT) + "...";
    }

    private static String hint(Throwable cause) {
        if (cause instanceof UnsupportedClassVersionError) {
            return " (the sandbox runs Java " + Runtime.version().feature() + ")";
        }
        if (cause instanceof NoClassDefFoundError || cause instanceof ClassNotFoundException) {
            return " (the jar must contain its own dependencies)";
        }
        if (cause instanceof OutOfMemoryError) {
            return " (the sandbox has little memory and few threads; define() should describe the work, not do it)";
        }
        return "";
    }

    private static String trace(Throwable cause) {
        StringBuilder out = new StringBuilder();
        Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        int frames = 0;
        for (Throwable at = cause; at != null && seen.add(at) && frames < MAX_FRAMES; at = at.getCause()) {
            if (at != cause) {
                out.append("\n  caused by ").append(describe(at));
            }
            StackTraceElement last = null;
            for (StackTraceElement frame : at.getStackTrace()) {
                if (isOurs(frame) || frames >= MAX_FRAMES) {
                    break;
                }
                if (frame.equals(last)) {
                    continue; // recursion
                }
                last = frame;
                out.append("\n  at ").append(frame);
                frames++;
            }
        }
        return out.toString();
    }

    /** Returns whether the frame called the jar's code: the driver's frames below do not interest an author. */
    private static boolean isOurs(StackTraceElement frame) {
        return frame.getClassName().startsWith(ClassRun.class.getName())
                || frame.getClassName().startsWith("jdk.internal.reflect.")
                || frame.getClassName().equals("java.lang.Class") && frame.getMethodName().startsWith("forName");
    }

    private static int line(String className, Throwable cause) {
        for (StackTraceElement frame : cause.getStackTrace()) {
            String at = frame.getClassName();
            if (at.equals(className) || at.startsWith(className + "$")) {
                return Math.max(frame.getLineNumber(), 0);
            }
        }
        return 0;
    }
}
