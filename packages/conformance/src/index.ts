export {
  adapterBehaviours,
  http2Behaviours,
  runAdapterBehaviour,
} from './adapter/adapter-behaviours.ts'
export {
  type AdapterSuite,
  type AdapterSuiteStore,
  describeAdapter,
  describeHttp2Adapter,
  memoryStores,
} from './adapter/describe-adapter.ts'
export type { AdapterBehaviour, AdapterBehaviourGroup } from './adapter/site/adapter-behaviour.ts'
export type { AdapterContext } from './adapter/site/adapter-context.ts'
export type {
  Call,
  CallResponse,
  CallStream,
  Reply,
  ReplyBody,
  Route,
  ServedSite,
  ServeSite,
  Site,
  SiteHandler,
  SiteScope,
} from './adapter/site/adapter-fixture.ts'
export { type Faults, faultyStore } from './adapter/site/faulty-store.ts'
export { describeLog, type LogSuite } from './log/describe-log.ts'
export type { LogBehaviour, LogBehaviourGroup } from './log/fixture/log-behaviour.ts'
export type { LogContext } from './log/fixture/log-context.ts'
export type { LogFixture, LogNeed, OpenAppend } from './log/fixture/log-fixture.ts'
export { logBehaviours, runLogBehaviour } from './log/log-behaviours.ts'
export { describeStore, type StoreSuite } from './store/describe-store.ts'
export type { StoreBehaviour, StoreBehaviourGroup } from './store/fixture/store-behaviour.ts'
export type { StoreContext } from './store/fixture/store-context.ts'
export type { Need, StoreFixture } from './store/fixture/store-fixture.ts'
export { runStoreBehaviour, storeBehaviours } from './store/store-behaviours.ts'
