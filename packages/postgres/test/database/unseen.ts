import { beforeAll } from 'vitest'
import type { TestDatabase } from './test-database.ts'

/**
 * SQL that ends a transaction in a way that the guard of a handler's transaction does not see. In a
 * session with {@link WITH_ESCAPES} a backslash escapes the quote behind it, which the guard, who
 * does not know of the setting, takes for the end of the string.
 */
export function unseen(text: string): string {
  return `select '\\''; ${text}; select ''`
}

export const WITH_ESCAPES = 'set standard_conforming_strings = off'

/** Has every session that is opened from now on read strings in that way. */
export function withEscapes(database: Pick<TestDatabase, 'query' | 'url'>): void {
  beforeAll(async () => {
    const name = new URL(database.url()).pathname.slice(1)
    await database.query(`alter database ${name} ${WITH_ESCAPES}`)
  })
}
