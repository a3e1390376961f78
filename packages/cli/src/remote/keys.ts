import {
  type ActResult,
  type KeyDetail,
  type KeyName,
  type KeyPage,
  type Keys,
  type OperationPage,
  type Operations,
  OptionsError,
} from '@oncekey/core'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { listIn } from './api.ts'

/** A key as a dashboard shows it. */
export interface ShownKey extends KeyDetail {
  /** Why the body of its response was asked for and is not there. */
  readonly noBody?: 'sealed' | 'not-kept' | 'not-text'
}

interface Found {
  readonly key: KeyDetail
  readonly body?: string | null
  readonly noBody?: ShownKey['noBody']
}

/** Keys through the API of a dashboard. If it has a mask, bodies come masked. */
export function remoteKeys(api: DashboardApi): Keys {
  const done = async (
    verb: string,
    { namespace, scope, key }: KeyName,
    note: string,
    more: Readonly<Record<string, string | undefined>> = {},
  ): Promise<ActResult> => {
    const fields = { namespace, scope, key, ...more, note, confirmed: 'yes' }
    return (await api.post<{ result: ActResult }>(`keys/${verb}`, fields)).result
  }

  return {
    lists: true,

    async get({ namespace, scope, key }, { body = false } = {}): Promise<ShownKey | undefined> {
      const asked = { namespace, scope, key, body: body ? 'shown' : undefined }
      const found = await api.find<Found>('keys/one', asked)
      if (found === undefined || (found.key.state as string) === 'absent') return undefined
      const { response } = found.key
      if (response === null || found.body === undefined) return found.key
      // A dashboard of the release before writes a sentence into `body` where it is sealed.
      const noBody = response.seal === null ? found.noBody : 'sealed'
      if (noBody !== undefined || found.body === null)
        return { ...found.key, ...(noBody && { noBody }) }
      return { ...found.key, response: { ...response, body: Buffer.from(found.body) } }
    },

    async list({ namespace, scope, keyPrefix, state }, { limit, after }) {
      const asked = { namespace, scope, prefix: keyPrefix, state, limit: String(limit), after }
      const page = await api.get<KeyPage>('keys', asked)
      return { items: listIn(page.items), next: page.next }
    },

    release: (name, { note }) => done('release', name, note),

    async answer(name, { status, headers, body }, { note }) {
      const types = headers.filter(([header]) => header.toLowerCase() === 'content-type')
      if (types.length < headers.length) {
        throw new OptionsError(
          'keys answer: a dashboard takes one header, content-type. Name the database for others.',
        )
      }
      const text = new TextDecoder('utf-8', { fatal: true }).decode(body ?? new Uint8Array())
      const more = { status: String(status), type: types[0]?.[1] ?? undefined, body: text }
      return await done('answer', name, note, more)
    },

    forget: ({ fingerprint, ...name }, { note }) => done('forget', name, note, { fingerprint }),
  }
}

export function remoteOperations(api: DashboardApi): Operations {
  return {
    async list({ actor, act, target, since, until }, { limit, after }) {
      const asked = {
        actor,
        act,
        target,
        since: since?.toISOString(),
        until: until?.toISOString(),
        limit: String(limit),
        after,
      }
      const page = await api.get<OperationPage>('audit', asked)
      return { items: listIn(page.items), next: page.next }
    },
  }
}
