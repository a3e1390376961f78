import type { Act, ActResult, KeyName, StoredResponse } from '@oncekey/core'
import { keyTarget } from '@oncekey/core'
import { listIn, type Script, type ScriptArgument, script, wordIn } from '../../client/script.ts'
import type { RecordKeys } from '../record/record-keys.ts'
import { bodyArgument, headText } from '../record/result-bytes.ts'
import { refuseNewer } from './key-state.ts'
import { answerKeyLua, forgetKeyLua, releaseKeyLua } from './lua.ts'

export const releaseKeyScript: Script<ActOnKey, ActResult> = actScript(
  'release-key',
  releaseKeyLua,
  () => [],
)

export const forgetKeyScript: Script<ActOnKey & { readonly confirmed: string }, ActResult> =
  actScript('forget-key', forgetKeyLua, ({ confirmed }) => [confirmed])

export const answerKeyScript: Script<AnswerKey, ActResult> = actScript(
  'answer-key',
  answerKeyLua,
  ({ response, keyRetentionMs, resultRetentionMs }) => [
    keyRetentionMs,
    response.body === null ? 0 : resultRetentionMs,
    response.body === null ? '' : headText(response),
    response.body === null ? '' : bodyArgument(response.body),
  ],
)

export interface ActOnKey {
  readonly keys: RecordKeys
  readonly name: KeyName
  readonly verb: string
  /** A name that no other act has: a client that lost a connection may send the act again. */
  readonly id: string
  readonly act: Act
  readonly detail: Readonly<Record<string, unknown>>
}

export interface AnswerKey extends ActOnKey {
  readonly response: StoredResponse
  readonly keyRetentionMs: number
  readonly resultRetentionMs: number
}

function actScript<Question extends ActOnKey>(
  name: string,
  text: string,
  more: (question: Question) => readonly ScriptArgument[],
): Script<Question, ActResult> {
  return script({
    name,
    text,
    keys: ({ keys }) => [keys.record, keys.result, keys.operations],
    args: (question) => [
      question.verb,
      question.act.actor,
      keyTarget(question.name),
      question.act.note,
      JSON.stringify(question.detail),
      question.id,
      ...more(question),
    ],
    reply(raw) {
      const words = listIn(raw)
      refuseNewer(words)
      return wordIn(words[0], RESULTS)
    },
  })
}

const RESULTS = [
  'done',
  'absent',
  'other-request',
  'running',
  'unknown',
  'finished',
  'result-gone',
] as const satisfies readonly ActResult[]
