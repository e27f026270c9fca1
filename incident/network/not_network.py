"""EC2's changing operations that change no network: looked at one by one, so that a new one is noticed.

What ships data out, such as the permissions of snapshots and images, is not here because it is harmless, but because no route,
rule or address changes.
"""

from __future__ import annotations

_BY_SUBJECT = {
    "images and what they may be shared with": """
        AttachImageWatermark CancelImageLaunchPermission CopyFpgaImage CreateFpgaImage CreateImageUsageReport
        CreateStoreImageTask DeleteFpgaImage DeleteImageUsageReport DetachImageWatermark
        DisableAllowedImagesSettings DisableFastLaunch DisableImage DisableImageBlockPublicAccess DisableImageDeprecation
        DisableImageDeregistrationProtection EnableAllowedImagesSettings EnableFastLaunch EnableImage EnableImageBlockPublicAccess
        EnableImageDeprecation EnableImageDeregistrationProtection ExportImage ModifyFpgaImageAttribute
        ModifyImageAttribute ReplaceImageCriteriaInAllowedImagesSettings ReplaceImageInstanceTypeSpecification
        ResetFpgaImageAttribute ResetImageAttribute RestoreImageFromRecycleBin
    """,
    "volumes and snapshots": """
        AttachVolume CopyVolumes CreateDelegateMacVolumeOwnershipTask CreateReplaceRootVolumeTask DetachVolume
        DisableEbsEncryptionByDefault DisableFastSnapshotRestores DisableSnapshotBlockPublicAccess EnableEbsEncryptionByDefault
        EnableFastSnapshotRestores EnableSnapshotBlockPublicAccess EnableVolumeIO ImportVolume LockSnapshot
        ModifyEbsDefaultKmsKeyId ModifySnapshotAttribute ModifySnapshotTier ModifyVolume ModifyVolumeAttribute
        ResetEbsDefaultKmsKeyId ResetSnapshotAttribute RestoreSnapshotFromRecycleBin RestoreSnapshotTier
        RestoreVolumeFromRecycleBin UnlockSnapshot
    """,
    "instances without their network": """
        AssociateEnclaveCertificateIamRole AssociateInstanceEventWindow AssociateKmsKeyId BundleInstance CancelBundleTask
        CancelConversionTask CancelExportTask ConfirmProductInstance CreateInstanceEventWindow
        CreateInstanceExportTask CreateMacSystemIntegrityProtectionModificationTask DeleteInstanceEventWindow
        DeregisterInstanceEventNotificationAttributes DisableInstanceSqlHaStandbyDetections DisassociateEnclaveCertificateIamRole
        DisassociateInstanceEventWindow DisassociateKmsKeyId EnableInstanceSqlHaStandbyDetections ImportInstance
        ModifyDefaultCreditSpecification ModifyInstanceCpuOptions ModifyInstanceCreditSpecification ModifyInstanceEventStartTime
        ModifyInstanceEventWindow ModifyInstanceMaintenanceOptions ModifyInstancePlacement MonitorInstances RebootInstances
        RegisterInstanceEventNotificationAttributes ReportInstanceStatus SendDiagnosticInterrupt UnmonitorInstances
    """,
    "capacity, hosts and purchases": """
        AcceptCapacityReservationBillingOwnership AcceptReservedInstancesExchangeQuote AllocateHosts
        AssociateCapacityReservationBillingOwner CancelCapacityReservation CancelCapacityReservationFleets
        CancelReservedInstancesListing CreateCapacityManagerDataExport CreateCapacityReservation
        CreateCapacityReservationBySplitting CreateCapacityReservationCancellationQuote CreateCapacityReservationDateChangeQuote
        CreateCapacityReservationFleet CreateInterruptibleCapacityReservationAllocation CreatePlacementGroup
        CreateReservedInstancesListing CreateSpotDatafeedSubscription DeleteCapacityManagerDataExport DeletePlacementGroup
        DeleteQueuedReservedInstances DeleteSpotDatafeedSubscription DisableCapacityManager
        DisassociateCapacityReservationBillingOwner EnableCapacityManager ModifyCapacityReservation ModifyCapacityReservationFleet
        ModifyHosts ModifyInstanceCapacityReservationAttributes ModifyReservedInstances MoveCapacityReservationInstances
        PurchaseCapacityBlock PurchaseCapacityBlockExtension PurchaseHostReservation PurchaseReservedInstancesOffering
        PurchaseScheduledInstances RejectCapacityReservationBillingOwnership ReleaseHosts UpdateCapacityManagerMonitoredTagKeys
        UpdateCapacityManagerOrganizationsAccess UpdateInterruptibleCapacityReservationAllocation
    """,
    "key pairs, id formats, metrics and reports": """
        AssociateApplicationStatusCheck CancelDeclarativePoliciesReport CreateApplicationStatusCheck CreateMetricCategory
        DeleteApplicationStatusCheck DeleteMetricCategory DisableApplicationStatusCheckSuppression
        DisassociateApplicationStatusCheck EnableApplicationStatusCheckSuppression ModifyApplicationStatusCheck ModifyIdFormat
        ModifyIdentityIdFormat ModifyMetricCategory StartDeclarativePoliciesReport
    """,
}

NOT_NETWORK = frozenset(f"ec2:{name}" for names in _BY_SUBJECT.values() for name in names.split())
"""The operations as `ec2:EventName`."""
