import {
  type ActResult,
  type KeyDetail,
  type KeyName,
  type Keys,
  keyTarget,
  type Operation,
} from '@oncekey/core'
import { type Content, type Html, html } from '../html/html.ts'
import { badge, facts, linkTo, payload, table, time } from '../html/parts.ts'
import { type DashboardAct, mayAct, maySee } from '../routing/access.ts'
import {
  type ActRoute,
  type Asked,
  BadInput,
  Forbidden,
  type Form,
  NotFound,
  type PageRoute,
  page,
} from '../routing/route.ts'

interface KeyStory {
  readonly key: Shown
  /** Of the response, where it was asked for and can be shown. */
  readonly body: string | undefined
  readonly operations: readonly Operation[]
}

/** All that is known of one key, and what may be done with it. */
export const keyPage: PageRoute = page<KeyStory>({
  path: 'keys/one',
  title: 'Key',
  inNavigation: false,
  isConfinable: true,
  exists: ({ keys }) => keys !== undefined,
  async load({ options, viewer, query }) {
    const name = nameOf((field) => query.get(field) ?? '')
    if (!maySee(viewer, name.scope)) throw new Forbidden()
    const wantsBody = query.get('body') === 'shown'
    const [key, operations] = await Promise.all([
      (options.keys as Keys).get(name, { body: wantsBody }),
      options.operations?.list({ target: keyTarget(name) }, { limit: 50 }),
    ])
    const acts = operations?.items ?? []
    if (key === undefined && acts.length === 0) {
      throw new NotFound(
        'Nothing is known of this key: a request with it would run. Is its scope spelled as your `scope` function returns it?',
      )
    }
    return {
      key: key ?? { ...name, ...FREE },
      body: wantsBody ? bodyOf(key, options.mask) : undefined,
      operations: acts,
    }
  },
  render(data, asked): Html {
    const { key, body, operations } = data
    const { response } = key
    const name = { namespace: key.namespace, scope: key.scope, key: key.key }
    return html`${said(asked.query)}
${facts([
  ['Key', key.key],
  ['Namespace', key.namespace],
  ['Scope', key.scope],
  ['State', key.state === 'absent' ? 'free: a request with it would run' : badge(key.state)],
  ['What it means', MEANINGS[key.state] ?? ''],
  ['Fingerprint', key.fingerprint ?? html`<span class="none">not known yet</span>`],
  ['Attempt', key.attempt?.number],
  ['Claimed', key.attempt && time(key.attempt.claimedAt)],
  ['Lease until', key.attempt && time(key.attempt.leaseUntil)],
  ['Completed', key.completedAt && time(key.completedAt)],
  ['Status', key.status],
])}
${
  response &&
  html`<h2>Response</h2>
${facts(response.headers.map(([header, value]) => [header, value] as const))}
${
  body === undefined
    ? html`<p><a href="${linkTo('one', { ...name, body: 'shown' })}">Show the body</a>, ${response.bodyBytes} bytes</p>`
    : payload(body)
}`
}
${actsOn(key, asked)}
<h2>What was done</h2>
${table(
  ['When', 'Who', 'What', 'Why'],
  operations.map(({ at, actor, act, note }) => [time(at), actor, act, note]),
  'Nobody has acted on this key.',
)}`
  },
})

type Shown = Omit<KeyDetail, 'state'> & { readonly state: KeyDetail['state'] | 'absent' }

function actsOn(key: Shown, { viewer }: Asked): Content {
  const mayBe = (act: DashboardAct, form: Html): Content => mayAct(viewer, act) && form
  if (key.state === 'unknown') {
    return html`<h2>Decide</h2>
<p>Find out first what the lost attempt did outside: its payment, its mail.</p>
${mayBe(
  'keys.release',
  actForm(
    'release',
    key,
    'It did nothing: let a retry run',
    'A retry runs the handler again. If the attempt did take effect, it takes effect twice.',
  ),
)}
${mayBe(
  'keys.answer',
  actForm(
    'answer',
    key,
    'It took effect: answer retries with this',
    'Retries get this response as a replay. The handler does not run.',
    html`<label>Status<input name="status" value="201" inputmode="numeric" required></label>
<label>Content-Type<input name="type" value="application/json"></label>
<label>Body<textarea name="body"></textarea></label>`,
  ),
)}`
  }
  if ((key.state === 'finished' || key.state === 'result-gone') && key.fingerprint !== null) {
    return mayBe(
      'keys.forget',
      html`<h2>Forget</h2>
${actForm('forget', key, 'Forget this key', 'A retry runs the handler again, and what it did is done twice.', html`<input type="hidden" name="fingerprint" value="${key.fingerprint}">`)}`,
    )
  }
  return undefined
}

function actForm(
  action: string,
  { namespace, scope, key }: KeyName,
  label: string,
  warning: string,
  more: Content = undefined,
): Html {
  return html`<form class="act" method="post" action="${action}">
<input type="hidden" name="namespace" value="${namespace}"><input type="hidden" name="scope" value="${scope}"><input type="hidden" name="key" value="${key}">
${more}
<label>Why, for the audit<input name="note" required maxlength="2000" autocomplete="off"></label>
<label class="check"><input type="checkbox" name="confirmed" value="yes" required> ${warning}</label>
<button class="grave">${label}</button>
</form>`
}

export const releaseKey: ActRoute = actOn('release', 'keys.release', (keys, name, act) =>
  keys.release(name, act),
)

export const forgetKey: ActRoute = actOn('forget', 'keys.forget', (keys, name, act, form) =>
  keys.forget({ ...name, fingerprint: form.text('fingerprint') }, act),
)

export const answerKey: ActRoute = actOn('answer', 'keys.answer', (keys, name, act, form) => {
  const status = Number(form.text('status'))
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new BadInput(`The status must be a number from 200 to 599, not "${form.text('status')}".`)
  }
  const type = form.optional('type')
  const body = form.optional('body') ?? ''
  const response = {
    status,
    headers: type === undefined ? [] : [['content-type', type] as const],
    body: new TextEncoder().encode(body),
    seal: null,
  }
  return keys.answer(name, response, act)
})

type Perform = (
  keys: Keys,
  name: KeyName,
  act: { readonly actor: string; readonly note: string },
  form: Form,
) => Promise<ActResult>

function actOn(verb: string, act: DashboardAct, perform: Perform): ActRoute {
  return {
    method: 'POST',
    path: `keys/${verb}`,
    act,
    exists: ({ keys, operations }) => keys !== undefined && operations !== undefined,
    async perform(form, { options, viewer }) {
      const name = nameOf((field) => form.text(field))
      if (!maySee(viewer, name.scope)) throw new Forbidden()
      if (form.optional('confirmed') !== 'yes') {
        throw new BadInput('Confirm that you know what follows from it: `confirmed` is `yes`.')
      }
      const given = { actor: viewer.actor, note: form.text('note') }
      const result = await perform(options.keys as Keys, name, given, form)
      return { to: linkTo('one', { ...name, did: verb, result }), result: { result } }
    },
  }
}

function nameOf(field: (name: string) => string): KeyName {
  const name = { namespace: field('namespace'), scope: field('scope'), key: field('key') }
  if (name.namespace === '' || name.key === '') {
    throw new BadInput('Say which key: `namespace`, `scope` and `key`.')
  }
  return name
}

function said(query: URLSearchParams): Content {
  const [did, result] = [query.get('did'), query.get('result')]
  if (did === null || result === null) return undefined
  if (result === 'done')
    return html`<p class="said" role="status">Done: ${did}. It is on record below.</p>`
  return html`<p class="said refused" role="status">Nothing was changed: the key is ${result}. Somebody else may have acted, or an attempt goes on.</p>`
}

function bodyOf(
  key: KeyDetail | undefined,
  mask: (payload: string, what: 'response') => string,
): string | undefined {
  const response = key?.response
  if (response == null) return undefined
  if (response.seal !== null)
    return `Sealed with the key "${response.seal}": it is not opened here.`
  if (response.body === null) return 'The body is not kept.'
  return mask(new TextDecoder().decode(response.body), 'response')
}

const FREE = {
  state: 'absent',
  fingerprint: null,
  attempt: null,
  status: null,
  completedAt: null,
  response: null,
} as const

const MEANINGS: Readonly<Record<string, string>> = {
  running: 'An attempt owns the key. Retries get 409 until it ends.',
  unknown:
    'An attempt ended without saying how: a crash, a timeout, a lost lease. Retries get 409.',
  finished: 'Retries get the stored response.',
  'result-gone': 'It was carried out; its response is not kept. Retries get 410.',
}
