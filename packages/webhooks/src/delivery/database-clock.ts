/**
 * The database's clock, which told `atMs` a moment ago, without asking it again. Deliveries are
 * signed by it: receivers refuse a timestamp that is minutes off, which makes a delivery dead, and
 * the clocks of single hosts are off after they were suspended.
 */
export function databaseClock(atMs: string | number): () => Date {
  const heardAt = performance.now()
  return () => new Date(Number(atMs) + performance.now() - heardAt)
}
