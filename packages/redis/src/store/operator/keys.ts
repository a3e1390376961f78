import { randomUUID } from 'node:crypto'
import {
  type Act,
  checkedAct,
  checkedAnswer,
  type KeyName,
  type Keys,
  OncekeyError,
  type StoredResponse,
} from '@oncekey/core'
import type { Replicas } from '../../client/replicas.ts'
import type { ScriptRunner } from '../../client/run-script.ts'
import type { Script } from '../../client/script.ts'
import { storeError } from '../../client/store-error.ts'
import { recordKeys } from '../record/record-keys.ts'
import { answerKeyScript, forgetKeyScript, releaseKeyScript } from './act-on-key.ts'
import { findKeyScript } from './find-key.ts'

/**
 * An operator's view of keys in Redis. A key is found by its name. There is no list of keys,
 * because its index would need one more write for every request.
 */
export function redisKeys(on: {
  readonly scripts: ScriptRunner
  readonly replicas: Replicas | undefined
  readonly keyRetentionMs: number
  readonly resultRetentionMs: number
}): Keys {
  const { scripts, replicas, keyRetentionMs, resultRetentionMs } = on

  /** Runs an act, and waits until as many replicas have it as a completion needs. */
  async function perform<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
  ): Promise<Reply> {
    try {
      if (replicas === undefined) return await scripts.run(script, question)
      const replicated = scripts.runReplicated(script, question, replicas)
      const { reply, acknowledged } = await replicated
      if (reply !== 'done' || acknowledged >= replicas.count) return reply
      throw new Error(`${acknowledged} of ${replicas.count} replicas have the act.`)
    } catch (error) {
      throw error instanceof OncekeyError ? error : storeError('commit-failed', error)
    }
  }

  return {
    lists: false,

    async get(key, { body = false } = {}) {
      const name = nameOf(key)
      try {
        return await scripts.run(findKeyScript, { keys: recordKeys(name), name, body })
      } catch (error) {
        throw error instanceof OncekeyError ? error : storeError('store-unavailable', error)
      }
    },

    async list() {
      throw new OncekeyError(
        'list-unsupported',
        'keys.list(): Redis has no index of its keys, which would be one more write for every request. ' +
          'Ask for a key by its name with keys.get(), or use a store of @oncekey/postgres.',
      )
    },

    release: async (key, act) => perform(releaseKeyScript, asked('keys.release', key, act)),

    async answer(key, given: StoredResponse, act) {
      const response = checkedAnswer(given)
      const { status } = response
      const question = asked('keys.answer', key, act, { status })
      const more = { response, keyRetentionMs, resultRetentionMs }
      return perform(answerKeyScript, { ...question, ...more })
    },

    forget: async ({ fingerprint, ...key }, act) =>
      perform(forgetKeyScript, { ...asked('keys.forget', key, act), confirmed: fingerprint }),
  }
}

function asked(
  verb: string,
  key: KeyName,
  act: Act,
  detail: Readonly<Record<string, unknown>> = {},
) {
  const name = nameOf(key)
  const checked = checkedAct(verb, act)
  return { keys: recordKeys(name), name, verb, id: randomUUID(), act: checked, detail }
}

/** Copies the name only, because the object may be a claim, or have other properties. */
function nameOf({ namespace, scope, key }: KeyName): KeyName {
  return { namespace, scope, key }
}
