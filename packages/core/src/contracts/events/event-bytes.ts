/**
 * The most data and headers that a page of events or deliveries has, not counting its last item.
 * Bytes.
 */
export const PAGE_BYTES: number = 4 * 1_048_576

/** The approximate size of an event: its data, its headers, and the rest of it. Bytes. */
export function bytesOfEvent({ data, headers }: { data: string; headers: string }): number {
  return data.length + headers.length + 200
}

/**
 * The first items of a list, up to and including the item with which their total reaches this size.
 */
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
