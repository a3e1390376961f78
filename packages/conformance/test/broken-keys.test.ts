import { runStoreBehaviour, storeBehaviours } from '@oncekey/conformance'
import { describe, expect, test } from 'vitest'
import { brokenFixture, brokenKeys } from './broken-keys/broken-keys.ts'

const behaviours = storeBehaviours()
  .filter(({ title }) => title === 'looking at keys' || title === 'acts on keys')
  .flatMap((group) =>
    group.behaviours.map((behaviour) => ({
      title: `${group.title}: ${behaviour.title}`,
      behaviour,
    })),
  )
const everFailed = new Set<string>()

describe('the store contract rejects a side for operators that', () => {
  for (const broken of brokenKeys) {
    test(broken.fault, async () => {
      const failed: string[] = []
      for (const { title, behaviour } of behaviours) {
        const tried = runStoreBehaviour(behaviour, () => brokenFixture(broken), { modelRuns: 1 })
        await tried.catch(() => failed.push(title))
      }
      for (const title of failed) everFailed.add(title)
      expect(failed).toEqual(expect.arrayContaining([...broken.caughtBy]))
    })
  }
})

describe('every sentence about operators', () => {
  test('is failed by one of these, and so can fail', () => {
    expect(behaviours.map(({ title }) => title).filter((title) => !everFailed.has(title))).toEqual(
      [],
    )
  })
})
