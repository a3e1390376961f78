import type { KeyDetail } from '@oncekey/core'
import type { ResolvedOptions } from '../../routing/options.ts'

/** The body of a stored response as it may be shown: masked, or why there is none. */
export interface ShownBody {
  /** null if it cannot be shown. */
  readonly body: string | null | undefined
  readonly noBody: NoBody | undefined
}

export const NO_BODY = ['sealed', 'not-kept', 'not-text'] as const
type NoBody = (typeof NO_BODY)[number]

/** What the page says in place of the body. It is never sent as a body. */
export const NO_BODY_SAID: Readonly<Record<NoBody, string>> = {
  sealed: 'It is sealed, and this dashboard does not open it.',
  'not-kept': 'It is not kept.',
  'not-text':
    'It is no text in UTF-8: `oncekey keys get --body` with the database named shows its bytes.',
}

export function shownBody(
  key: KeyDetail | undefined,
  { mask }: Pick<ResolvedOptions, 'mask'>,
): ShownBody {
  const response = key?.response
  if (response == null) return { body: undefined, noBody: undefined }
  if (response.seal !== null) return { body: null, noBody: 'sealed' }
  if (response.body === null) return { body: null, noBody: 'not-kept' }
  const text = textOf(response.body)
  if (text === undefined) return { body: null, noBody: 'not-text' }
  return { body: mask(text, 'response'), noBody: undefined }
}

/** Undefined if it is not UTF-8: replacement characters would be taken for a part of the body. */
function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}
