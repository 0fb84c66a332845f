export {};
//# sourceMappingURL=receiver.spec.d.ts.map
