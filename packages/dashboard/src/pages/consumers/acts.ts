import { resultWord } from '../../api/schema.ts'
import { linkTo } from '../../html/parts.ts'
import { confirmedAct } from '../../routing/act.ts'
import { type ActRoute, NotFound } from '../../routing/route.ts'
import type { ConsumersSource } from '../../sources/consumers.ts'

const fields = { consumer: { about: 'The name of the consumer.', required: true } } as const
const exists = ({ consumers }: { readonly consumers: unknown }): boolean => consumers !== undefined

export const pauseConsumer: ActRoute = confirmedAct({
  path: 'consumers/pause',
  act: 'consumers.pause',
  summary: 'Deliver nothing to a consumer until it is resumed',
  fields,
  answers: resultWord,
  exists,
  async perform(form, { options }, act) {
    const name = form.text('consumer')
    return told('pause', await (options.consumers as ConsumersSource).pause(name, act))
  },
})

export const resumeConsumer: ActRoute = confirmedAct({
  path: 'consumers/resume',
  act: 'consumers.resume',
  summary: 'Deliver to a consumer again, beginning with what was kept',
  fields,
  answers: resultWord,
  exists,
  async perform(form, { options }, act) {
    const name = form.text('consumer')
    return told('resume', await (options.consumers as ConsumersSource).resume(name, act))
  },
})

function told(did: string, outcome: string) {
  if (outcome === 'unknown') throw new NotFound('The log knows no such consumer.')
  const result = outcome === 'already' ? 'so already' : 'done'
  return { to: linkTo('../consumers', { did, result }), result: { result } }
}
