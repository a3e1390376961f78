import type { DeadLetterSource } from '@oncekey/core'
import type { ResolvedOptions } from '../../routing/options.ts'
import { NotShown } from '../../routing/route.ts'

/** The source with this name; without a name, the first source. */
export function sourceOf({ deadLetters }: ResolvedOptions, name: string | null): DeadLetterSource {
  const found = name ? deadLetters.find((source) => source.name === name) : deadLetters[0]
  if (found !== undefined) return found
  const names = deadLetters.map((source) => source.name).join(', ')
  throw new NotShown(`There are no dead letters of "${name}" here. There are those of ${names}.`)
}
