import { describe, test } from 'vitest'
import type { BehaviourGroup } from './behaviour.ts'

/**
 * Registers groups with Vitest, one test per behaviour. `run` returns the reason if one is skipped.
 */
export function describeGroups<Each extends { readonly title: string }>(
  title: string,
  groups: readonly BehaviourGroup<Each>[],
  timeoutMs: number,
  run: (behaviour: Each) => Promise<string | undefined>,
): void {
  describe(title, () => {
    for (const group of groups) {
      describe(group.title, () => {
        for (const behaviour of group.behaviours) {
          test(behaviour.title, { timeout: timeoutMs }, async ({ skip }) => {
            const skipped = await run(behaviour)
            if (skipped !== undefined) skip(skipped)
          })
        }
      })
    }
  })
}
