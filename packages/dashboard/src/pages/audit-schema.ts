import { object, pageOf, type Schema, text, time } from '../api/schema.ts'

export const operationSchema: Schema = object({
  id: text,
  at: time,
  actor: text,
  act: text,
  target: text,
  note: text,
  detail: { type: 'object' },
})

export const auditSchema: Schema = pageOf(operationSchema)
