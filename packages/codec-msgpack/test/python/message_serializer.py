"""The serializer of QuantaCirc, word for word as its plan has it: what our frames must understand and be understood by."""
import json
import msgpack
import gzip
import lz4.frame
from typing import Any, Dict, Optional, Type
from dataclasses import is_dataclass, asdict
from enum import Enum
import pickle
from datetime import datetime
import uuid

class SerializationFormat(Enum):
    JSON = "json"
    MSGPACK = "msgpack"
    PICKLE = "pickle"

class CompressionType(Enum):
    NONE = "none"
    GZIP = "gzip"
    LZ4 = "lz4"

class MessageSerializer:
    """
    High-performance message serializer with compression and versioning.
    
    Supports multiple formats and compression algorithms optimized
    for different message types and sizes.
    """
    
    def __init__(self, 
                 default_format: SerializationFormat = SerializationFormat.MSGPACK,
                 default_compression: CompressionType = CompressionType.LZ4,
                 compression_threshold: int = 1024):
        self.default_format = default_format
        self.default_compression = default_compression
        self.compression_threshold = compression_threshold
        
        # Register custom type handlers
        self._type_handlers = {
            datetime: self._serialize_datetime,
            uuid.UUID: str,
        }
        
        self._deserializers = {
            SerializationFormat.JSON: self._deserialize_json,
            SerializationFormat.MSGPACK: self._deserialize_msgpack,
            SerializationFormat.PICKLE: self._deserialize_pickle
        }
    
    def serialize(self, 
                  obj: Any, 
                  format: Optional[SerializationFormat] = None,
                  compression: Optional[CompressionType] = None) -> bytes:
        """
        Serialize object with optional compression.
        
        Args:
            obj: Object to serialize
            format: Serialization format (defaults to instance default)
            compression: Compression type (defaults to instance default)
            
        Returns:
            Serialized bytes with metadata header
        """
        format = format or self.default_format
        compression = compression or self.default_compression
        
        # Prepare object for serialization
        prepared_obj = self._prepare_object(obj)
        
        # Serialize based on format
        if format == SerializationFormat.JSON:
            serialized = json.dumps(prepared_obj, default=self._json_serializer).encode('utf-8')
        elif format == SerializationFormat.MSGPACK:
            serialized = msgpack.packb(prepared_obj, default=self._msgpack_serializer)
        elif format == SerializationFormat.PICKLE:
            serialized = pickle.dumps(prepared_obj)
        else:
            raise ValueError(f"Unsupported serialization format: {format}")
        
        # Apply compression if payload is large enough
        compressed = serialized
        actual_compression = CompressionType.NONE
        
        if len(serialized) > self.compression_threshold:
            if compression == CompressionType.GZIP:
                compressed = gzip.compress(serialized)
                actual_compression = CompressionType.GZIP
            elif compression == CompressionType.LZ4:
                compressed = lz4.frame.compress(serialized)
                actual_compression = CompressionType.LZ4
        
        # Create metadata header
        metadata = {
            "format": format.value,
            "compression": actual_compression.value,
            "version": "1.0",
            "timestamp": datetime.utcnow().isoformat(),
            "original_size": len(serialized),
            "compressed_size": len(compressed)
        }
        
        # Combine metadata and payload
        metadata_bytes = json.dumps(metadata).encode('utf-8')
        metadata_length = len(metadata_bytes).to_bytes(4, byteorder='big')
        
        return metadata_length + metadata_bytes + compressed
    
    def deserialize(self, data: bytes) -> Any:
        """
        Deserialize bytes with automatic format and compression detection.
        
        Args:
            data: Serialized bytes with metadata header
            
        Returns:
            Deserialized object
        """
        if len(data) < 4:
            raise ValueError("Invalid serialized data: too short")
        
        # Extract metadata
        metadata_length = int.from_bytes(data[:4], byteorder='big')
        metadata_bytes = data[4:4+metadata_length]
        payload_bytes = data[4+metadata_length:]
        
        try:
            metadata = json.loads(metadata_bytes.decode('utf-8'))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise ValueError("Invalid metadata in serialized data")
        
        # Decompress if needed
        compression_type = CompressionType(metadata.get('compression', 'none'))
        
        if compression_type == CompressionType.GZIP:
            decompressed = gzip.decompress(payload_bytes)
        elif compression_type == CompressionType.LZ4:
            decompressed = lz4.frame.decompress(payload_bytes)
        else:
            decompressed = payload_bytes
        
        # Deserialize based on format
        format_type = SerializationFormat(metadata.get('format', 'msgpack'))
        deserializer = self._deserializers.get(format_type)
        
        if not deserializer:
            raise ValueError(f"Unsupported format: {format_type}")
        
        return deserializer(decompressed)
    
    def _prepare_object(self, obj: Any) -> Any:
        """Prepare object for serialization by handling custom types."""
        if obj is None or isinstance(obj, (str, int, float, bool)):
            return obj
        elif isinstance(obj, (list, tuple)):
            return [self._prepare_object(item) for item in obj]
        elif isinstance(obj, dict):
            return {key: self._prepare_object(value) for key, value in obj.items()}
        elif is_dataclass(obj):
            return asdict(obj)
        elif hasattr(obj, '__dict__'):
            return self._prepare_object(obj.__dict__)
        else:
            # Use registered type handlers
            for type_class, handler in self._type_handlers.items():
                if isinstance(obj, type_class):
                    return handler(obj)
            
            # Fallback to string representation
            return str(obj)
    
    def _serialize_datetime(self, dt: datetime) -> Dict[str, Any]:
        """Serialize datetime with type information."""
        return {
            "_type": "datetime",
            "_value": dt.isoformat()
        }
    
    def _json_serializer(self, obj: Any) -> Any:
        """Custom JSON serializer for special types."""
        if isinstance(obj, datetime):
            return self._serialize_datetime(obj)
        elif isinstance(obj, uuid.UUID):
            return str(obj)
        else:
            return str(obj)
    
    def _msgpack_serializer(self, obj: Any) -> Any:
        """Custom MessagePack serializer for special types."""
        return self._json_serializer(obj)
    
    def _deserialize_json(self, data: bytes) -> Any:
        """Deserialize JSON data."""
        return json.loads(data.decode('utf-8'))
    
    def _deserialize_msgpack(self, data: bytes) -> Any:
        """Deserialize MessagePack data."""
        return msgpack.unpackb(data, raw=False)
    
    def _deserialize_pickle(self, data: bytes) -> Any:
        """Deserialize Pickle data."""
        return pickle.loads(data)
