/** A delivery as statements return it, in JSON: `d` is the delivery, `m` its message. */
export const deliveryJson: string = `json_build_object('id', d.id::text, 'eventId', d.message_id,
    'type', m.type, 'endpointId', d.endpoint_id, 'state', d.state, 'reason', d.reason,
    'error', d.error, 'attempts', d.attempts, 'redrives', d.redrives,
    'dueAt', case when d.state = 'pending' then d.due_at end,
    'isUnderWay', d.state = 'pending' and coalesce(d.leased_until > now(), false),
    'createdAt', d.created_at, 'endedAt', d.ended_at)::text as delivery`

export interface DeliveryRow {
  /** {@link DeliveryJson}. */
  readonly delivery: string
}

export interface DeliveryJson {
  readonly id: string
  readonly eventId: string
  readonly type: string
  readonly endpointId: string
  readonly state: 'pending' | 'delivered' | 'dead' | 'discarded' | 'ended'
  readonly reason: string | null
  readonly error: string | null
  readonly attempts: number
  readonly redrives: number
  readonly dueAt: string | null
  readonly isUnderWay: boolean
  readonly createdAt: string
  readonly endedAt: string | null
}
