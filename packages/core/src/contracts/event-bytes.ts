/** What a page of events, or of deliveries, has at most, but for its last. Bytes. */
export const PAGE_BYTES: number = 4 * 1_048_576

/** About how much an event takes up: its data and headers, and what is around them. Bytes. */
export function bytesOfEvent({ data, headers }: { data: string; headers: string }): number {
  return data.length + headers.length + 200
}

/** The first of these, up to the one that brings them to so many bytes. */
export function upToBytes<Each>(
  all: readonly Each[],
  maxBytes: number,
  bytesOf: (each: Each) => number,
): readonly Each[] {
  let bytes = 0
  for (const [at, each] of all.entries()) {
    bytes += bytesOf(each)
    if (bytes >= maxBytes) return all.slice(0, at + 1)
  }
  return all
}
