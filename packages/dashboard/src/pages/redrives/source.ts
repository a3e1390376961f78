import type { DeadLetterSource, Redrives } from '@oncekey/core'
import { NotShown } from '../../routing/route.ts'

type HasSources = { readonly deadLetters: readonly DeadLetterSource[] }

export function hasRedrives({ deadLetters }: HasSources): boolean {
  return deadLetters.some(({ redrives }) => redrives !== undefined)
}

/**
 * The redrives of the source with that name. Without a name, those of the first source that keeps
 * redrives.
 */
export function redrivesOf(
  { deadLetters }: HasSources,
  name: string | null | undefined,
): { readonly source: string; readonly redrives: Redrives } {
  const found = deadLetters.find((each) => (name ? each.name === name : each.redrives))
  if (found?.redrives !== undefined) return { source: found.name, redrives: found.redrives }
  throw new NotShown(`No redrives of "${name ?? ''}" are kept here.`)
}
