import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { eventBridgePublisher } from '@oncekey/outbox/eventbridge'

export const broker = eventBridgePublisher({
  name: 'eventbridge',
  client: new EventBridgeClient({}),
  eventBusName: 'shop',
})
