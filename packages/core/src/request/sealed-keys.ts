import type { Act } from '../acts/act.ts'
import type { ActResult, KeyDetail, KeyName, Keys } from '../contracts/keys.ts'
import { checkedAnswer, type StoredResponse } from '../contracts/stored-response.ts'
import { callOption } from '../options/call-option.ts'
import { checkSealKeys, type Seal, type SealKeys, seal, unseal } from './seal.ts'

/**
 * An operator's view of keys whose responses the engine seals. `answer` seals what it stores, as
 * the engine would, and `get` opens the body if it is asked for. Give it the `seal` of your engine.
 *
 * Opening throws `seal-key-missing` and `seal-broken`.
 *
 * @example
 * ```ts
 * const keys = sealedKeys(store.keys, { current: '2026', keys: { 2026: key } })
 * await keys.answer({ namespace: 'http', scope, key }, response, { actor, note })
 * ```
 */
export function sealedKeys(keys: Keys, sealedWith: Seal): Keys {
  const isGiven = typeof sealedWith !== 'function'
  if (isGiven) checkSealKeys(sealedWith)
  const current = async (): Promise<SealKeys> =>
    isGiven
      ? sealedWith
      : callOption('seal', PATIENCE_MS, sealedWith, (keys) => checkSealKeys(keys as SealKeys))

  return {
    ...keys,

    async get(name, options) {
      const found = await keys.get(name, options)
      return found?.response?.body == null ? found : opened(found, await current())
    },

    async answer(name: KeyName, given: StoredResponse, act: Act): Promise<ActResult> {
      const response = checkedAnswer(given)
      const found = await keys.get(name)
      if (found === undefined) return 'absent'
      const { state, fingerprint } = found
      if (state !== 'unknown' || fingerprint === null) return state
      const { namespace, scope, key } = name
      // The seal covers the fingerprint on record, which a retry sends as well.
      const sealed = seal(response, await current(), { namespace, scope, key, fingerprint })
      return await keys.answer(name, sealed, act)
    },
  }
}

function opened(found: KeyDetail, keys: SealKeys): KeyDetail {
  const { response, fingerprint, namespace, scope, key } = found
  if (response === null || response.seal === null || fingerprint === null) return found
  const owner = { namespace, scope, key, fingerprints: [fingerprint], wasSealed: false }
  return { ...found, response: { ...response, ...unseal(response, keys, owner) } }
}

/** How long a function that provides the seal keys may take. */
const PATIENCE_MS = 10_000
