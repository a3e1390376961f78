/** A behaviour throws it if it cannot be tried on this site; its test is skipped, with a reason. */
export class Untestable extends Error {}
