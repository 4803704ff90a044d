/**
 * The authoring API of kiok for Java: what a DAG class imports, and all it needs.
 *
 * <p>A class that implements {@link com.cloudcheflabs.kiok.sdk.KiokDag} and has a public constructor without
 * arguments gives one DAG. The package depends on nothing but Java 8, and its names and signatures do not change:
 * a jar built against an earlier release of it goes on linking.
 */
package com.cloudcheflabs.kiok.sdk;
