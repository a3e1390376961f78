import type { Claim } from '@oncekey/core'
import type { StoreBehaviour, StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { expectReplay } from '../fixture/store-context.ts'

/** Keys are compared byte by byte; namespaces and scopes never mix. */
export function keys(): StoreBehaviourGroup {
  return {
    title: 'keys',
    behaviours: [
      // qonto lower-cased its keys.
      meet('keys that differ in case', [{ key: 'order-A' }, { key: 'order-a' }]),
      meet('keys that differ in their last byte of 255', [
        { key: `${'k'.repeat(254)}1` },
        { key: `${'k'.repeat(254)}2` },
        { key: 'k'.repeat(254) },
      ]),
      meet('keys that differ in spaces', [{ key: 'a b' }, { key: 'a  b' }, { key: 'ab' }]),
      meet('keys full of what SQL, LIKE, globs and hash tags mean something by', [
        { key: "a'; drop table orders; --" },
        { key: 'a%' },
        { key: 'a_' },
        { key: 'a\\' },
        { key: 'a*?[b]' },
        { key: '{a}b' },
        { key: '$1' },
        { key: 'ab' },
      ]),
      meet('keys that are the same number', [{ key: '1' }, { key: '01' }, { key: '1.0' }]),
      meet('scopes that look the same', [
        { scope: 'Zo\u00eb' },
        { scope: 'Zoe\u0308' },
        { scope: 'ZO\u00cb' },
        { scope: 'Zo\u00eb\u200b' },
      ]),
      meet('scopes beyond the basic plane', [{ scope: '🧾' }, { scope: '🧿' }, { scope: '日本' }]),
      meet('scopes of 255 bytes', [{ scope: `${'s'.repeat(254)}1` }, { scope: 's'.repeat(255) }]),
      meet('namespaces', [{ namespace: 'http' }, { namespace: 'HTTP' }, { namespace: 'jobs' }]),
      meet('namespace, scope and key with one and the same text when joined', [
        { namespace: 'ab', scope: 'cd', key: 'ef' },
        { namespace: 'abc', scope: 'd', key: 'ef' },
        { namespace: 'ab', scope: 'c', key: 'def' },
        { namespace: 'cd', scope: 'ab', key: 'ef' },
        { namespace: 'ab', scope: 'ef', key: 'cd' },
      ]),
      ...[':', '/', '|', ',', '"', '\\', '-', '.', '","'].map((separator) =>
        meet(`namespace, scope and key joined by ${separator}`, [
          { namespace: 'a', scope: `b${separator}c`, key: 'd' },
          { namespace: 'a', scope: 'b', key: `c${separator}d` },
          { namespace: `a${separator}b`, scope: 'c', key: 'd' },
        ]),
      ),
      meet('names that carry lengths of their own', [
        { namespace: '1:1:a', scope: 'b', key: 'c' },
        { namespace: '1', scope: '1:a', key: 'bc' },
        { namespace: '1', scope: '1', key: ':abc' },
      ]),
    ],
  }
}

/** Each of them runs, and each replays its own response. */
function meet(what: string, names: readonly Partial<Claim>[]): StoreBehaviour {
  return {
    title: `never meet: ${what}`,
    async run({ claim, retry, begin, finish, name }) {
      // The test's own name is put before the namespace, where it makes no difference between the
      // claims.
      const mine = name()
      const claims = names.map((given) => {
        const { namespace, scope = 'customer', key = 'order-1' } = given
        return claim({ namespace: `${mine}${namespace ?? 'http'}`, scope, key })
      })
      const responses = []
      for (const each of claims) responses.push(await finish(each))
      for (const [index, each] of claims.entries()) {
        const response = responses[index]
        if (response !== undefined) expectReplay(await begin(retry(each)), response)
      }
    },
  }
}
