import { BadInput, type Described } from './route.ts'

export const PAGING: Readonly<Record<string, Described>> = {
  limit: { about: 'How many at most, from 1 to 1,000; 50 where it is left out.' },
  after: { about: '`next` of the page before.' },
}

/** The size of a page, from the parameter `limit`. */
export function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') || '50'
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return limit
  throw new BadInput(`\`limit\` must be a whole number from 1 to 1,000, such as 50, not "${text}".`)
}
