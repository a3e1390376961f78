export {
  type AdapterBehaviour,
  type AdapterBehaviourGroup,
  adapterBehaviours,
  runAdapterBehaviour,
} from './adapter/adapter-behaviours.ts'
export type { AdapterContext } from './adapter/adapter-context.ts'
export type {
  Call,
  Reply,
  ReplyBody,
  Route,
  ServedSite,
  ServeSite,
  Site,
  SiteHandler,
  SiteScope,
} from './adapter/adapter-fixture.ts'
export {
  type AdapterSuite,
  type AdapterSuiteStore,
  describeAdapter,
  memoryStores,
} from './adapter/describe-adapter.ts'
export { type Faults, faultyStore } from './adapter/faulty-store.ts'
export { describeLog, type LogSuite } from './log/describe-log.ts'
export {
  type LogBehaviour,
  type LogBehaviourGroup,
  logBehaviours,
  runLogBehaviour,
} from './log/log-behaviours.ts'
export type { LogContext } from './log/log-context.ts'
export type { LogFixture, LogNeed, OpenAppend } from './log/log-fixture.ts'
export { describeStore, type StoreSuite } from './store/describe-store.ts'
export {
  runStoreBehaviour,
  type StoreBehaviour,
  type StoreBehaviourGroup,
  storeBehaviours,
} from './store/store-behaviours.ts'
export type { StoreContext } from './store/store-context.ts'
export type { Need, StoreFixture } from './store/store-fixture.ts'
