import type { Act, ActResult, KeyName, Keys } from '@oncekey/core'
import { resultWord } from '../../api/schema.ts'
import { linkTo } from '../../html/parts.ts'
import { type DashboardAct, maySee } from '../../routing/access.ts'
import { confirmedAct } from '../../routing/act.ts'
import {
  type ActRoute,
  BadInput,
  type Described,
  Forbidden,
  type Form,
} from '../../routing/route.ts'
import { NAME, nameOf } from './key-name.ts'

export const releaseKey: ActRoute = actOn({
  verb: 'release',
  act: 'keys.release',
  summary: 'Free a key whose outcome is unknown: the next request runs the handler',
  perform: (keys, name, act) => keys.release(name, act),
})

export const forgetKey: ActRoute = actOn({
  verb: 'forget',
  act: 'keys.forget',
  summary: 'Forget a finished key: the next request runs the handler again',
  fields: {
    fingerprint: { about: 'As the key has it, to confirm which request is meant.', required: true },
  },
  perform: (keys, name, act, form) =>
    keys.forget({ ...name, fingerprint: form.text('fingerprint') }, act),
})

export const answerKey: ActRoute = actOn({
  verb: 'answer',
  act: 'keys.answer',
  summary: 'Finish a key whose outcome is unknown with a response: the next request gets it',
  fields: {
    status: { about: 'The status, from 200 to 599.', required: true },
    type: { about: 'The Content-Type.' },
    body: { about: 'The body.' },
  },
  perform(keys, name, act, form) {
    const status = Number(form.text('status'))
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new BadInput(
        `The status must be a number from 200 to 599, not "${form.text('status')}".`,
      )
    }
    const type = form.optional('type')
    const response = {
      status,
      headers: type === undefined ? [] : [['content-type', type] as const],
      body: new TextEncoder().encode(form.optional('body') ?? ''),
      seal: null,
    }
    return keys.answer(name, response, act)
  },
})

function actOn(of: {
  readonly verb: string
  readonly act: DashboardAct
  readonly summary: string
  readonly fields?: Readonly<Record<string, Described>>
  perform(keys: Keys, name: KeyName, act: Act, form: Form): Promise<ActResult>
}): ActRoute {
  const { verb, act, summary, fields = {}, perform } = of
  return confirmedAct({
    path: `keys/${verb}`,
    act,
    isConfinable: true,
    summary,
    fields: { ...NAME, ...fields },
    answers: resultWord,
    exists: ({ keys, operations }) => keys !== undefined && operations !== undefined,
    async perform(form, { options, viewer }, given) {
      const name = nameOf((field) => form.text(field))
      if (!maySee(viewer, name.scope)) throw new Forbidden()
      const result = await perform(options.keys as Keys, name, given, form)
      return { to: linkTo('one', { ...name, did: verb, result }), result: { result } }
    },
  })
}
