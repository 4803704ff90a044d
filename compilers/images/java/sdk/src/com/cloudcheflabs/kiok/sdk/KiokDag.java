package com.cloudcheflabs.kiok.sdk;

/**
 * Defines one DAG. Every concrete class of a jar that implements this interface and has a public constructor
 * without arguments is instantiated once, and its {@link #define()} is called once.
 */
public interface KiokDag {

    /**
     * Builds the DAG. It runs in a sandbox without network, secrets or a writable file system, under a time
     * limit. It must return the same DAG each time.
     *
     * @return the DAG, never null
     */
    Dag define();
}
