import { type KeyDetail, type Keys, keyTarget, type Operation } from '@oncekey/core'
import { actForm } from '../../html/act-form.ts'
import { type Content, type Html, html } from '../../html/html.ts'
import { badge, facts, linkTo, payload, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { type DashboardAct, mayAct, maySee } from '../../routing/access.ts'
import { type Asked, Forbidden, NotFound, type PageRoute, page } from '../../routing/route.ts'
import { NAME, nameOf } from './key-name.ts'
import { keySchema } from './schemas.ts'
import { NO_BODY_SAID, type ShownBody, shownBody } from './shown-body.ts'

/** `body` is undefined if it was not asked for. */
interface KeyStory extends ShownBody {
  readonly key: Shown
  readonly operations: readonly Operation[]
}

/** The page of one key: everything known of it, and the acts that are allowed. */
export const keyPage: PageRoute = page<KeyStory>({
  path: 'keys/one',
  title: 'Key',
  inNavigation: false,
  isConfinable: true,
  api: {
    summary: 'One key, its response, and what was done to it',
    takes: {
      ...NAME,
      body: { about: 'Also the body of the response, masked and opened.', choices: ['shown'] },
    },
    answers: keySchema,
  },
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
      key: key === undefined ? { ...name, ...FREE } : withoutBody(key),
      ...shownBody(wantsBody ? key : undefined, options),
      operations: acts,
    }
  },
  render(data, asked): Html {
    const { key, body, noBody, operations } = data
    const { response } = key
    const name = { namespace: key.namespace, scope: key.scope, key: key.key }
    return html`${said(asked.query, 'It is on record below.', 'Somebody else may have acted, or an attempt goes on.')}
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
    : body === null
      ? html`<p class="empty">${noBody && NO_BODY_SAID[noBody]}</p>`
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
  const hidden = { namespace: key.namespace, scope: key.scope, key: key.key }
  const mayBe = (act: DashboardAct, form: Html): Content => mayAct(viewer, act) && form
  if (key.state === 'unknown') {
    return html`<h2>Decide</h2>
<p>Find out first what the lost attempt did outside: its payment, its mail.</p>
${mayBe(
  'keys.release',
  actForm({
    action: 'release',
    hidden,
    label: 'It did nothing: let a retry run',
    warning:
      'A retry runs the handler again. If the attempt did take effect, it takes effect twice.',
  }),
)}
${mayBe(
  'keys.answer',
  actForm({
    action: 'answer',
    hidden,
    label: 'It took effect: answer retries with this',
    warning: 'Retries get this response as a replay. The handler does not run.',
    more: html`<label>Status<input name="status" value="201" inputmode="numeric" required></label>
<label>Content-Type<input name="type" value="application/json"></label>
<label>Body<textarea name="body"></textarea></label>`,
  }),
)}`
  }
  if ((key.state === 'finished' || key.state === 'result-gone') && key.fingerprint !== null) {
    return mayBe(
      'keys.forget',
      html`<h2>Forget</h2>
${actForm({
  action: 'forget',
  hidden: { ...hidden, fingerprint: key.fingerprint },
  label: 'Forget this key',
  warning: 'A retry runs the handler again, and what it did is done twice.',
})}`,
    )
  }
  return undefined
}

/** Removes the body, which may be shown only through the mask. */
function withoutBody(key: KeyDetail): KeyDetail {
  return { ...key, response: key.response && { ...key.response, body: null } }
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
