import { actTarget } from '@oncekey/core'

/** Who acts on an endpoint and why; `null` if it was not given. */
export interface EndpointAct {
  readonly actor: string | null
  readonly note: string | null
}

/** The target of acts on an endpoint in the audit trail. */
export function endpointTarget(id: string): string {
  return actTarget('endpoint', id)
}
