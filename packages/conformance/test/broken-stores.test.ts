import { runStoreBehaviour, type StoreBehaviour, storeBehaviours } from '@oncekey/conformance'
import { describe, expect, test } from 'vitest'
import type { BrokenStore } from './broken-stores/broken-store.ts'
import { brokenStores } from './broken-stores.ts'

type Mode = BrokenStore['modes'][number]

// The operator side has its own broken stores.
const behaviours = storeBehaviours()
  .filter(({ title }) => title !== 'looking at keys' && title !== 'acts on keys')
  .flatMap((group) =>
    group.behaviours.map((behaviour) => ({
      title: `${group.title}: ${behaviour.title}`,
      behaviour,
    })),
  )
const everFailed = new Set<string>()

describe('the store contract rejects a store that', () => {
  for (const broken of brokenStores) {
    for (const mode of broken.modes) {
      test(`${broken.fault} (${mode} mode)`, { timeout: 60_000 }, async () => {
        const { failed, skipped } = await tryAll(broken, mode)
        const expected = broken.caughtBy.filter((title) => !skipped.includes(title))
        expect(failed).toEqual(expect.arrayContaining(expected))
        expect(failed).not.toEqual([])
      })
    }
  }
})

describe('every behaviour of the store contract', () => {
  test('is failed by one of these stores, and so can fail', () => {
    expect(behaviours.map(({ title }) => title).filter((title) => !everFailed.has(title))).toEqual(
      [],
    )
  })
})

async function tryAll(
  broken: BrokenStore,
  mode: Mode,
): Promise<{ failed: string[]; skipped: string[] }> {
  const failed: string[] = []
  const skipped: string[] = []
  await Promise.all(
    behaviours.map(async ({ title, behaviour }) => {
      const outcome = await tryOne(behaviour, broken, mode)
      if (outcome === 'skipped') skipped.push(title)
      if (outcome === 'failed') {
        failed.push(title)
        everFailed.add(title)
      }
    }),
  )
  return { failed, skipped }
}

/** A store that does not answer within this time has failed, too. Milliseconds. */
const LONGEST_MS = 1_000

async function tryOne(
  behaviour: StoreBehaviour,
  broken: BrokenStore,
  mode: Mode,
): Promise<'passed' | 'failed' | 'skipped'> {
  const fixture = broken.create(mode)
  // Closing the store ends calls that wait in vain.
  const timer = setTimeout(() => fixture.close?.(), LONGEST_MS)
  try {
    const reason = await runStoreBehaviour(behaviour, () => fixture, { modelRuns: 100 })
    return reason === undefined ? 'passed' : 'skipped'
  } catch {
    return 'failed'
  } finally {
    clearTimeout(timer)
  }
}
