import { describe, expect, test } from 'vitest'
import type { ActorOptions } from '../src/actor.ts'
import { explore } from '../src/explore.ts'

const actors = (
  options: Partial<ActorOptions>,
  fails: readonly boolean[] = [false, false, false],
): ActorOptions[] =>
  fails.map((fails) => ({ fencing: 'fenced', whenUnknown: 'retake', ...options, fails }))

describe('three requests with one key, in every order their steps can come', {
  timeout: 120_000,
}, () => {
  test.each(['retake', 'hold'] as const)(
    'write once, emit once and answer identically, with %s',
    async (whenUnknown) => {
      const explored = await explore({ actors: actors({ whenUnknown }), lapses: 2, crashes: 1 })
      expect(explored.violation).toBeUndefined()
      // A search that stopped early would find no violation.
      expect(explored.ends).toBeGreaterThan(20)
      expect(explored.states).toBeGreaterThan(400)
    },
  )

  test('do so as well when a handler writes and then fails', async () => {
    const fails = [true, false, false]
    const explored = await explore({ actors: actors({}, fails), lapses: 2, crashes: 1 })
    expect(explored.violation).toBeUndefined()
  })

  test('write twice if the row is not locked and an empty completion is no error', async () => {
    const unlocked = actors({ fencing: 'completion-only' })
    const { violation } = await explore({ actors: unlocked, lapses: 1, crashes: 0 })
    expect(violation?.what).toMatch(/written by actors|events/)
    expect(violation?.steps).toContain('lease runs out')
  })

  test('write twice if a completion does not check whose attempt it is', async () => {
    const { violation } = await explore({
      actors: actors({ fencing: 'unfenced' }),
      lapses: 1,
      crashes: 0,
    })
    expect(violation?.what).toMatch(/written by actors|on record/)
  })
})
