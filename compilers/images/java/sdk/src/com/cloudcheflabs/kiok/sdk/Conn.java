package com.cloudcheflabs.kiok.sdk;

/**
 * References to connections and secrets. A reference stays literal text in the compiled DAG and is resolved
 * only when a task runs, so that a DAG never contains a secret.
 */
public final class Conn {

    private Conn() {}

    /** Returns the reference {@code ${conn.<id>.<key>}} to one property of a connection. */
    public static String ref(String id, String key) {
        return "${conn." + id + "." + key + "}";
    }

    /** Returns the reference {@code ${secret.<name>}} to a secret. */
    public static String secret(String name) {
        return "${secret." + name + "}";
    }
}
