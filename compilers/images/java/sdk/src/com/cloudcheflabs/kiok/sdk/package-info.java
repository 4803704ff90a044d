/**
 * The authoring API of kiok for Java: everything that a DAG class imports.
 *
 * <p>A class that implements {@link com.cloudcheflabs.kiok.sdk.KiokDag} and has a public constructor without
 * arguments defines one DAG. The package depends only on Java 8, and its names and signatures do not change:
 * a jar built against an earlier release still links.
 */
package com.cloudcheflabs.kiok.sdk;
