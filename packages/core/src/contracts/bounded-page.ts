/**
 * How many rows to read for a page when no index serves the filter and the rows may therefore not
 * match: one page, but at least 500, which makes the round trip worthwhile.
 */
export function rowsToRead(limit: number): number {
  return Math.max(limit, 500)
}

/**
 * Makes a page of up to `limit` matching rows from the rows that were read; at most `read` were
 * requested. The next page continues behind `last`, which is `undefined` where there are no more
 * rows.
 */
export function boundedPage<Row>(
  rows: readonly Row[],
  of: { readonly read: number; readonly limit: number; isMeant(row: Row): boolean },
): { readonly shown: readonly Row[]; readonly last: Row | undefined } {
  const meant = rows.filter(of.isMeant)
  const shown = meant.slice(0, of.limit)
  if (meant.length > of.limit) return { shown, last: shown.at(-1) }
  return { shown, last: rows.length === of.read ? rows.at(-1) : undefined }
}

/**
 * How many dead letters one count or one page of a list looks at, the oldest first, where only
 * reading a letter tells whether it matches, and how many of the newest a statistic groups. A
 * redrive looks at all of them.
 */
export const LETTERS_LOOKED_AT = 5_000

/** Whether a count looks at all letters that may match, of `depth` that are dead. */
export function looksAtAll(filter: NamingFilter, depth: number): boolean {
  return namesLetters(filter) || depth <= LETTERS_LOOKED_AT
}

/** Whether a filter names letters or events: these are looked up, however many others there are. */
export function namesLetters(filter: NamingFilter): boolean {
  return filter.ids !== undefined || filter.eventIds !== undefined
}

interface NamingFilter {
  readonly ids?: readonly string[]
  readonly eventIds?: readonly string[]
}
