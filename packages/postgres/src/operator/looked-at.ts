import { LETTERS_LOOKED_AT } from '@oncekey/core'

/** Where a source keeps its dead letters, as SQL. */
export interface LetterTable {
  /** The table with its alias: `oncekey.deliveries d`. */
  readonly table: string
  /** The condition for a letter to be dead. It must be the condition of the index. */
  readonly isDead: string
  /** When a letter died, and its id: the order of that index. */
  readonly at: string
  readonly id: string
  /** The page token of a letter. */
  readonly pageToken: string
}

/** The parts of a statement that looks at some of the dead letters. */
export interface LookedAt {
  /**
   * The letters that a count or a page looks at, under the alias of the table: those that the
   * filter names, or else the oldest ones behind `after`.
   */
  letters(after?: string): string
  /** The page token of the last of {@link letters}; null where these are all there are. */
  last(after: string): string
}

/**
 * Which dead letters a count or a page looks at: a bounded number, however many there are. Where a
 * filter names its letters, their ids are the bound.
 */
export function lookedAt(of: LetterTable, isNamed: boolean): LookedAt {
  const { table, at, id } = of
  const inOrder = (after: string): string => `from ${table}
              where ${of.isDead} and ${after} and ${diedWithin(at)}
              order by ${at}, ${id}`
  return {
    letters(after = 'true') {
      if (isNamed) return table
      return `(
            select * ${inOrder(after)}
              limit ${LETTERS_LOOKED_AT}
          ) ${table.split(' ').at(-1)}`
    },
    last(after) {
      if (isNamed) return 'null::text'
      return `(
            select ${of.pageToken} ${inOrder(after)}
              offset ${LETTERS_LOOKED_AT - 1} limit 1
          )`
    },
  }
}

/** That a letter died within the times of the filter, which are the parameters $8 and $9. */
export function diedWithin(at: string): string {
  return `($8::timestamptz is null or ${at} < $8::timestamptz)
            and ($9::timestamptz is null or ${at} > $9::timestamptz)`
}
